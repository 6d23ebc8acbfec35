package main

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker for releases: -X main.version=v0.1.0.
var version string

// runVersion is "tenon version".
func runVersion(p *program, c *call) error {
	v, revision := programVersion(), ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if c.global.json {
		return p.stdout.json(map[string]string{
			"version": v, "revision": revision, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	p.stdout.linef("tenon %s %s/%s %s", v, runtime.GOOS, runtime.GOARCH, runtime.Version())
	return nil
}

// programVersion is the version of the program, as far as it is known.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
