package arrow

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The packages that ./check tests without the race detector, because they start no goroutine, start
// none, nor do their tests, by whichever way.
func TestSerialPackagesStartNoGoroutine(t *testing.T) {
	const root = "../.."
	check, err := os.ReadFile(filepath.Join(root, "check"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^serial="(.+)"$`).FindSubmatch(check)
	if list == nil {
		t.Fatal("check names no such packages")
	}
	for _, dir := range strings.Fields(string(list[1])) {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: there are no files, %v", dir, err)
		}
		for _, file := range files {
			starts(t, file)
		}
	}
}

// starts fails for what starts a goroutine, or may.
func starts(t *testing.T, file string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a goroutine", set.Position(n.Pos()))
		case *ast.SelectorExpr:
			switch n.Sel.Name {
			case "Go", "AfterFunc", "Parallel", "RunParallel":
				t.Errorf("%s: %s", set.Position(n.Pos()), n.Sel.Name)
			}
		case *ast.ImportSpec:
			switch n.Path.Value {
			case `"net"`, `"net/http"`, `"os/exec"`, `"testing/synctest"`:
				t.Errorf("%s: %s", set.Position(n.Pos()), n.Path.Value)
			}
		}
		return true
	})
}
