//go:build windows && !node && !nopeer

package main

import (
	"os"
	"os/exec"
)

// replace has another program do what is asked of this one, which ends as it ends.
func replace(path string, args, env []string) error {
	cmd := &exec.Cmd{Path: path, Args: args, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err := cmd.Run()
	if cmd.ProcessState != nil {
		return silent{cmd.ProcessState.ExitCode()}
	}
	return err
}

// own leaves it to the permissions of the user's own folders.
func own(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
