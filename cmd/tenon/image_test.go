//go:build !node && !nopeer

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/image"
	"github.com/tenon-net/tenon/transport"
)

// builtAs is a condition of scripts: which of the three builds this is.
const builtAs = "plain"

// A program that has nothing to become says what is missing and where it belongs.
func TestNoImage(t *testing.T) {
	self := filepath.Join(t.TempDir(), "tenon")
	if err := os.WriteFile(self, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := (&program{ctx: context.Background()}).findNode(self, "")
	if err == nil || !strings.Contains(err.Error(), nodeName) || !strings.Contains(transport.Hint(err), "-tags node") {
		t.Errorf("%v, hint %q", err, transport.Hint(err))
	}
}

// An image that was cut off is not started, and nothing else is in its place.
func TestDamagedImage(t *testing.T) {
	var b bytes.Buffer
	if err := image.Append(&b, strings.NewReader(strings.Repeat("image", 1000))); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(t.TempDir(), "tenon")
	if err := os.WriteFile(self, b.Bytes()[2000:], 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (&program{ctx: context.Background()}).findNode(self, ""); !errors.Is(err, image.ErrDamaged) {
		t.Error(err)
	}
}

// What an end is called does not decide, and nor does where it stands.
func TestOpensMore(t *testing.T) {
	for text, want := range map[string]bool{
		"peer:alice/db": true, "PEER:alice/db": true, "peer-listen:db": true, "tls+peer:alice/db": true, "peer://alice/db": true,
		"-!!peer:alice/db": true, "web=peer:alice/db": true, "file:a!!peer:b/c": true, "peer:alice/db,survive=0": true,
		"folder:public": true, "tls-listen:8443!!Folder:.,hidden": true,
		"unix:/run/peer": false, "exec:'echo peer:alice/db'": false, "tcp:peer:80": false, "peers": false, "file:folder": false, "folder": true, "text:peer:x": false, "-": false,
	} {
		if got := isMore(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
