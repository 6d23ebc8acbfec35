//go:build !unix

package main

import (
	"errors"
	"fmt"
)

// Here open files can't be handed from program to program.

func runGive(*program, *call) error {
	return fmt.Errorf("give: %w on this system", errors.ErrUnsupported)
}

func runTake(*program, *call) error {
	return fmt.Errorf("take: %w on this system", errors.ErrUnsupported)
}

func givenNames() []string { return nil }
