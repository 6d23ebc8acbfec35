//go:build !linux && !node && !nopeer

package main

import (
	"errors"
	"os"

	"github.com/tenon-net/tenon/internal/image"
)

// inMemory is for systems that can start what is in memory only.
func inMemory(*os.File, image.Image) (*os.File, error) { return nil, errors.ErrUnsupported }
