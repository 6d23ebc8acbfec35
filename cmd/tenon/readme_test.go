//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// What the README has people type is typed, letter for letter, by the scripts in
// testdata/readme. Each begins with the line "# $ " and its command, runs it as
// sh -c $TYPED, and checks that it does what the README says.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/readme/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	scripts := make(map[string]string, len(paths)) // by command
	for _, path := range paths {
		scripts[readmeKey(t, path)] = path
	}
	if len(scripts) != len(paths) {
		t.Errorf("%d scripts in testdata/readme are for %d commands", len(paths), len(scripts))
	}
	for _, command := range readmeCommands(string(text)) {
		path, ok := scripts[command]
		if !ok {
			t.Errorf("no script in testdata/readme is for this command of the README: %s", command)
			continue
		}
		delete(scripts, command)
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			skipPeers(t, path)
			runTyped(t, path, map[string]string{"TYPED": command})
		})
	}
	for command, path := range scripts {
		t.Errorf("%s is for a command that the README does not have: %s", path, command)
	}
}

// skipPeers leaves a script out that needs the image that knows peers, where that is not
// built.
func skipPeers(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("\npeers\n")) && (builtAs != "plain" || testing.Short()) {
		t.Skip("needs the image that knows peers")
	}
}

// The four lines for two people do what they say: the script has them as $LINE1 to
// $LINE4, and each runs on the computer of who types it.
func TestReadmePeople(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    (alice|bob)\$ +(tenon .*?)(?: +#.*)?$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) != 4 {
		t.Fatalf("there are %d lines", len(lines))
	}
	env := map[string]string{}
	for i, line := range lines {
		env[fmt.Sprintf("LINE%d", i+1)] = line[1] + " " + line[2]
	}
	const path = "testdata/people/people.txtar"
	skipPeers(t, path)
	runTyped(t, path, env)
}

// readmeCommands returns the first of the two commands and those of the table.
func readmeCommands(text string) []string {
	var out []string
	if first := regexp.MustCompile(`(?m)^    (go run \./cmd/tenon .*)$`).FindStringSubmatch(text); first != nil {
		out = append(out, first[1])
	}
	for _, row := range regexp.MustCompile("(?m)^\\| .* \\| `(.*)` \\|$").FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(row[1], `\|`, "|"))
	}
	return out
}

// readmeKey returns the command that a script is for.
func readmeKey(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	command, ok := strings.CutPrefix(line, "# $ ")
	if !ok {
		t.Fatalf("%s does not begin with \"# $ \" and a command", path)
	}
	return command
}

// runTyped runs a script with commands in its environment. The program has been built
// already, so "go run" is left away.
func runTyped(t *testing.T, path string, commands map[string]string) {
	testscript.Run(t, testscript.Params{
		Files:               []string{path},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, command := range commands {
				if rest, ok := strings.CutPrefix(command, "go run ./cmd/tenon "); ok {
					command = "tenon " + rest
				}
				env.Setenv(name, command)
			}
			return setupScript(env)
		},
		Cmds: scriptCommands(),
	})
}
