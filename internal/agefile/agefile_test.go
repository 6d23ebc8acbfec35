package agefile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// cheap is a cost for tests.
const cheap = 8

func sealed(t *testing.T, plain, password string, cost int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := seal(&b, password, cost)
	if err == nil {
		_, err = io.WriteString(w, plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What was sealed is opened by its password alone, and whatever was changed or cut off is noticed.
func TestSealAndOpen(t *testing.T) {
	plain := strings.Repeat("what was said\n", 10_000)
	file := sealed(t, plain, "correct horse", cheap)
	if !Is(file[:PeekSize]) || Is([]byte(plain)) || Is(nil) || bytes.Contains(file, []byte("said")) {
		t.Error("it does not look as it should")
	}
	read := func(file []byte, password string) (string, error) {
		r, err := Open(bytes.NewReader(file), password)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if got, err := read(file, "correct horse"); err != nil || got != plain {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for _, password := range []string{"correct hors", "Correct horse", " "} {
		if _, err := read(file, password); !errors.Is(err, ErrPassword) {
			t.Errorf("with %q: %v", password, err)
		}
	}
	for what, file := range map[string][]byte{
		"cut in the middle": file[:len(file)/2],
		"cut at a chunk":    file[:len(file)-len(plain)%(64<<10)-16],
		"cut in the header": file[:40],
		"changed":           append(append(bytes.Clone(file[:len(file)-50]), 'x'), file[len(file)-49:]...),
		"longer":            append(bytes.Clone(file), 'x'),
	} {
		got, err := read(file, "correct horse")
		if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(plain, got) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
}

// What a password opens costs as much to guess as a file of age.
func TestCost(t *testing.T) {
	if file := sealed(t, "x", "p", workFactor); !bytes.Contains(file[:200], []byte(" 18\n")) {
		t.Errorf("the file is %q", file[:200])
	}
}

// Nobody is made to spend minutes or gigabytes by a file, and one for a key is no password's.
func TestForeignFiles(t *testing.T) {
	costly := bytes.Replace(sealed(t, "x", "p", cheap), []byte(" 8\n"), []byte(" 19\n"), 1)
	if _, err := Open(bytes.NewReader(costly), "p"); !errors.Is(err, ErrDamaged) {
		t.Error("more is spent on a file than on one of ours")
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, id.Recipient())
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(&b, "p"); !errors.Is(err, ErrPassword) {
		t.Errorf("a file for a key: %v", err)
	}
}
