package arrow

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// A listed package is what go list says of one.
type listed struct {
	ImportPath   string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// list returns all packages, and again as they are in the image that knows peers.
func list(t *testing.T) []listed { return append(listWith(t, ""), listWith(t, "node")...) }

func listWith(t *testing.T, tags string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", tags, "-json=ImportPath,Doc,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func short(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func fits(pattern, pkg string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(pkg) == folder
	}
	return pattern == pkg
}

func TestImportsPointDown(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages, which can't be all", len(packages))
	}
	for _, p := range packages {
		pkg, _ := short(p.ImportPath)
		if strings.HasPrefix(pkg, "examples/") {
			continue // examples are programs of users
		}
		i := slices.IndexFunc(Rules, func(r Rule) bool { return fits(r.Package, pkg) })
		if i < 0 {
			t.Errorf("%s: no rule says what it may import", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if dep, ours := short(imp); ours && !slices.ContainsFunc(Rules[i].May, func(may string) bool { return fits(may, dep) }) {
				t.Errorf("%s imports %s, and may not: %s", pkg, dep, Rules[i].Because)
			}
		}
		for _, h := range Homes {
			if slices.ContainsFunc(p.Imports, func(imp string) bool { return imp == h.Import || strings.HasPrefix(imp, h.Import+"/") }) && !slices.Contains(h.In, pkg) {
				t.Errorf("%s imports %s: %s", pkg, h.Import, h.Because)
			}
		}
	}
}

func TestBans(t *testing.T) {
	found := 0
	for _, p := range listWith(t, "") {
		pkg, _ := short(p.ImportPath)
		for _, b := range Bans {
			if b.Package != pkg {
				continue
			}
			found++
			for _, imp := range p.Imports {
				first, _, _ := strings.Cut(imp, "/")
				outside := b.Import == "." && strings.Contains(first, ".")
				if imp == b.Import || strings.HasPrefix(imp, b.Import+"/") || outside {
					t.Errorf("%s imports %s: %s", pkg, imp, b.Because)
				}
			}
		}
	}
	if found != len(Bans) {
		t.Errorf("%d of %d bans are about packages that there are", found, len(Bans))
	}
}

// What go list says of the whole image counts, whoever imports it.
func TestImages(t *testing.T) {
	for _, image := range Images {
		cmd := exec.Command("go", "list", "-tags", image.Tags, "-deps", path.Join(module, image.Package))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, "net") {
			t.Fatalf("%s, tags %q: go list found %d packages, which can't be all", image.Package, image.Tags, len(deps))
		}
		for _, dep := range deps {
			if slices.ContainsFunc(image.Without, func(out string) bool { return dep == out || strings.HasPrefix(dep, out+"/") }) {
				t.Errorf("%q with tags %q links %s: %s", image.Package, image.Tags, dep, image.Because)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range listWith(t, "") {
		if len(p.Doc) < 40 {
			t.Errorf("%s: its package comment is %q", p.ImportPath, p.Doc)
		}
	}
}

func TestOneRuleForEach(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range Rules {
		if seen[r.Package] {
			t.Errorf("%q has two rules, of which the second never counts", r.Package)
		}
		seen[r.Package] = true
	}
}
