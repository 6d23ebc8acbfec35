//go:build node

package main

import (
	"net/http"
	"os"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Who sends a folder is told what of it did not go, once, and at the end that it was not all: both were said of shares alone.
func TestSendTellsWhatIsLeftOut(t *testing.T) {
	notes := []api.ShareNote{{Path: "a/secret", Text: "permission denied", Left: true}}
	going, all := api.Share{Name: "a", Notes: notes, Left: 1}, api.Share{Name: "a", Files: 2, Bytes: 6, Notes: append(notes, api.ShareNote{Path: "a/run", Text: "its mode is shared as 0755"}), Left: 1}
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status": answers(api.Status{}),
		"POST /v1/send":  tells(nil, nil, api.SendEvent{Type: api.SendProgress, Share: &going}, api.SendEvent{Type: api.SendProgress, Share: &going}, api.SendEvent{Type: api.SendDone, Share: &all}),
	})
	t.Chdir(t.TempDir())
	if err := os.Mkdir("a", 0o755); err != nil {
		t.Fatal(err)
	}
	status, _, errs := ran(t.Context(), "send", "a")
	const want = "tenon: a/secret: permission denied; it is left out\ntenon: a/run: its mode is shared as 0755\n" +
		"tenon: the other side has everything: 2 files, 6 B; 1 of what is there cannot be shared, and is left out\n"
	if status != 0 || errs != want {
		t.Errorf("status %d,\n%s want\n%s", status, errs, want)
	}
}
