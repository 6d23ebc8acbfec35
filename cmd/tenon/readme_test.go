package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// What the README has people type is typed, letter for letter, by the scripts in
// testdata/readme. Each begins with the line "# $ " and its command, runs it as
// sh -c $TYPED, and checks that it does what the README says. They run one after
// the other, because their ports are those of the README.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/readme/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
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
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runTyped(t, path, command) })
	}
	for command, path := range scripts {
		t.Errorf("%s is for a command that the README does not have: %s", path, command)
	}
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

// runTyped runs a script with the command in $TYPED. The program has been built
// already, so "go run" is left away.
func runTyped(t *testing.T, path, command string) {
	if rest, ok := strings.CutPrefix(command, "go run ./cmd/tenon "); ok {
		command = "tenon " + rest
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{path},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TYPED", command)
			return setupScript(env)
		},
		Cmds: scriptCommands(),
	})
}
