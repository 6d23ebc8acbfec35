package transport_test

import (
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// How a program has ended is the same after it was carried, but for what it is called; and whatever comes
// instead is the end of a program that failed, with an exit status that there is.
func TestExitErrorIsCarried(t *testing.T) {
	for _, e := range []transport.ExitError{
		{Status: 1}, {Status: 9}, {Status: 255}, {Status: 143}, {Signal: "SIGTERM", Number: 15}, {Signal: "signal 35", Number: 35},
		{Signal: "SIGKILL", Number: 9, Overdue: 5 * time.Second}, {Status: 3, Overdue: 50 * time.Millisecond}, {Signal: "signal 64", Number: 64, Overdue: time.Hour},
	} {
		e.Program = "/home/alice/secret"
		_, s := e.CloseStatus()
		got, want := transport.RemoteExit(s), e
		want.Program, want.Remote = "the program", true
		if *got != want || got.ExitCode() != e.ExitCode() {
			t.Errorf("%+v became %+v by %+v", e, *got, s)
		}
	}
	for s, want := range map[transport.CloseStatus]string{
		{}:                                      "the program ended with status 1",
		{Code: 256}:                             "the program ended with status 1",
		{Code: 9, Reason: "all is well\x1b[2J"}: "the program ended with status 9",
		{Code: 9, Reason: "SIGKILL"}:            "the program ended with status 9",
		{Code: 1<<64 - 1, Reason: "SIGTERM"}:    "the program ended with status 1",
		{Code: 143, Reason: "SIGTERM; run rm"}:  "the program ended with status 143",
		{Code: 143, Reason: "SIG"}:              "the program ended with status 143",
		{Code: 143, Reason: "-5s SIGTERM"}:      "the program ended with status 143",
		{Code: 143, Reason: "5s sigterm"}:       "the program was still running after 5s, and ended with status 143 when it was told to",
	} {
		if e := transport.RemoteExit(s); e.Error() != want || e.ExitCode() < 1 || e.ExitCode() > 255 || !e.Remote {
			t.Errorf("%+v: %v, %d", s, e, e.ExitCode())
		}
	}
}
