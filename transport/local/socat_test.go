//go:build linux

package local

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// socat runs socat with input on its standard input, and returns what it printed
// when done is called.
func socat(t *testing.T, input string, args ...string) (done func() string) {
	t.Helper()
	if _, err := exec.LookPath("socat"); err != nil {
		t.Fatal("socat is not installed; ./check installs it")
	}
	var out, errs bytes.Buffer
	cmd := exec.Command("socat", append([]string{"-t", "10"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() string {
		if err := cmd.Wait(); err != nil {
			t.Errorf("socat: %v: %s", err, errs.String())
		}
		return out.String()
	}
}

func TestSocatStream(t *testing.T) {
	for _, name := range []string{path(t), abstract(t)} {
		a := listening(t, &UnixListen{Path: name})
		target := "UNIX-CONNECT:" + name
		if isAbstract(name) {
			target = "ABSTRACT-CONNECT:" + name[1:]
		}
		done := socat(t, "from socat", "-", target)
		s := accepted(t, a).(transport.Stream)
		got, err := io.ReadAll(s)
		if err != nil || string(got) != "from socat" {
			t.Errorf("%s: read %q, error %v", name, got, err)
		}
		if _, err := s.Write([]byte("to socat")); err != nil {
			t.Error(err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Error(err)
		}
		if got := done(); got != "to socat" {
			t.Errorf("%s: socat read %q", name, got)
		}
	}
}

func TestSocatSeqpacket(t *testing.T) {
	p := path(t)
	a := listening(t, &UnixPacketListen{Path: p})
	done := socat(t, "from socat", "-", "UNIX-CONNECT:"+p+",type=5")
	s := accepted(t, a).(transport.MsgConn)
	receive(t, s, "from socat")
	if _, _, err := s.ReadMsg(make([]byte, 8)); err != io.EOF {
		t.Errorf("after socat's half-close: error %v, want io.EOF", err)
	}
	send(t, s, "to socat")
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if got := done(); got != "to socat" {
		t.Errorf("socat read %q", got)
	}
}

func TestSocatDatagrams(t *testing.T) {
	p, me := path(t), path(t)
	a := listening(t, &UnixgramListen{Path: p, SessionIdle: time.Minute})
	done := socat(t, "from socat", "-T", "1", "-", "UNIX-SENDTO:"+p+",bind="+me)
	s := accepted(t, a).(transport.MsgConn)
	receive(t, s, "from socat")
	if got := s.RemoteAddr().String(); got != me {
		t.Errorf("the sender is %q, want %q", got, me)
	}
	send(t, s, "to socat")
	if got := done(); got != "to socat" {
		t.Errorf("socat read %q", got)
	}
}
