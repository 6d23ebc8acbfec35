//go:build node

package main

import "errors"

func (p *program) startHere(dir string) (*talk, error) { return nil, errors.ErrUnsupported }
func runUp(p *program, c *call) error                  { return errors.ErrUnsupported }
func runRelay(p *program, c *call) error               { return errors.ErrUnsupported }
