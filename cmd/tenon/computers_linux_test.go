package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// networks counts those of cmdComputers.
var networks atomic.Int32

// cmdComputers is "computers NAME...": it makes a network namespace for each, with
// loopback and an address in one network with the others, and a program of that name
// that runs another there, with a home of its own: "exec alice tenon id".
func cmdComputers(ts *testscript.TestScript, neg bool, args []string) {
	bin := ts.MkAbs("computers")
	ts.Check(os.MkdirAll(bin, 0o755))
	ts.Setenv("PATH", bin+string(filepath.ListSeparator)+ts.Getenv("PATH"))
	run := func(line string) {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			ts.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	suffix := fmt.Sprint(networks.Add(1)) // the interfaces of one before may not be gone yet
	bridge := "br" + suffix
	run("ip link add " + bridge + " type bridge")
	ts.Defer(func() { exec.Command("ip", "link", "del", bridge).Run() })
	run("ip link set " + bridge + " up")
	for i, name := range args {
		holder := exec.Command("sleep", "infinity")
		holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		ts.Check(holder.Start())
		ts.Defer(func() {
			holder.Process.Kill()
			holder.Wait()
		})
		pid := holder.Process.Pid
		here, there := fmt.Sprintf("v%d-%s", i, suffix), fmt.Sprintf("w%d-%s", i, suffix)
		run(fmt.Sprintf("ip link add %s type veth peer name %s", here, there))
		run(fmt.Sprintf("ip link set %s master %s up", here, bridge))
		run(fmt.Sprintf("ip link set %s netns %d", there, pid))
		in := fmt.Sprintf("nsenter -t %d -n ", pid)
		run(in + "ip link set lo up")
		run(in + fmt.Sprintf("ip addr add 10.77.0.%d/24 dev %s", i+1, there))
		run(in + "ip link set " + there + " up")
		run(in + "ip route add default dev " + there)
		home := ts.MkAbs(name + ".home")
		ts.Check(os.MkdirAll(home, 0o700))
		script := fmt.Sprintf("#!/bin/sh\nHOME=%s TENON_DIR= XDG_CONFIG_HOME= exec %s\"$@\"\n", home, in)
		ts.Check(os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755))
	}
}
