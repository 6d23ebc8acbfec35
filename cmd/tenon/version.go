package main

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker for releases: -X main.version=v0.1.0.
var version string

// runVersion is "tenon version".
func runVersion(p *program, c *call) error {
	v, revision := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	if c.global.json {
		return p.stdout.json(map[string]string{
			"version": v, "revision": revision, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	p.stdout.linef("tenon %s %s/%s %s", v, runtime.GOOS, runtime.GOARCH, runtime.Version())
	return nil
}
