package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
)

// marker stands for a secret. It is near to no name.
const marker = "zq7SECRETzq7"

// A secret that is given as a flag, or stands in an address, is in nothing that the
// program says, whatever else is wrong with the command line.
func TestSecretsStaySecret(t *testing.T) {
	var lines [][]string
	tried := 0
	for _, k := range kinds() {
		addr, verb := k.Name+":127.0.0.1:1", "connect"
		switch {
		case k.Traits.Listens || strings.HasSuffix(k.Stack, "-listen"):
			addr, verb = k.Name+":127.0.0.1:0", "listen"
		case strings.HasPrefix(k.Name, "socks"), k.Name == "proxy":
			addr += ":x:1"
		case strings.HasSuffix(k.Name, "-server"):
			addr, verb = k.Name+"+tcp-listen:0", "listen"
		}
		defs, err := newOpener().Options(addr)
		if err != nil {
			continue
		}
		for _, d := range defs {
			if d.Secret {
				tried++
				lines = append(lines, mistakes(verb, addr, d)...)
			}
		}
	}
	if tried < 8 {
		t.Errorf("%d options of all kinds are secret", tried)
	}
	for _, line := range lines {
		for _, flags := range [][]string{{"-v"}, {"--json"}} {
			line := append(slices.Clone(flags), line...)
			text, status := runProgram(t, line...)
			if strings.Contains(text, "SECRET") {
				t.Errorf("tenon %q, status %d: %s", line, status, text)
			}
			if text == "" && status != 127 { // a shell has said itself what it has not found
				t.Errorf("tenon %q says nothing", line)
			}
		}
	}
}

// mistakes returns command lines with the secret option d, nearly all of them wrong.
func mistakes(verb, addr string, d *opt.Def) (lines [][]string) {
	flag := "--" + d.Name
	add := func(words ...string) { lines = append(lines, append([]string{verb, addr, "--for=1ms"}, words...)) }
	for _, value := range []string{marker, marker + "," + marker, "'" + marker, marker + `"x`, "--" + marker, "@" + "no/such/file", "env:" + "NO_SUCH_VARIABLE", "a=" + marker} {
		add(flag, value)
		add(flag+"="+value, "--explain")
		add(flag, value, flag, value)
		add(flag, value, "--nosuchflag")
		add(flag, value, "--max=none")
		add(flag, value, "-l")
		add(flag, value, "a", "b", "c")
		lines = append(lines,
			[]string{flag, value, verb, addr, "--for=1ms"},
			[]string{verb, flag, value, addr, "--for=1ms"},
			[]string{verb, flag, value},
			[]string{flag, value},
			[]string{verb, "tcp:127.0.0.1:1", "--for=1ms", flag, value},
			[]string{verb, "nosuchkind:x", flag, value},
			[]string{verb, addr + ",'", flag, value},
			[]string{verb, addr + ",nosuchoption", flag, value},
		)
	}
	for _, word := range []string{
		"--" + d.Name[1:] + "=" + marker, "--" + d.Name + "x=" + marker, "--" + strings.ToUpper(d.Name) + "=" + marker,
		"--" + d.Name + marker, "--" + d.Name + ":" + marker, "-" + d.Name + marker, "-" + d.Name + "=" + marker,
		"-" + d.Name[:1] + marker, "--" + marker, "-" + marker, "--" + marker + "=x", "---" + d.Name + "=" + marker, "--=" + marker, "-=" + marker,
	} {
		add(word)
		add(word, "--nosuchflag")
	}
	in := addr + "," + d.Name + "=" + marker
	lines = append(lines,
		[]string{verb, in, "--for=1ms"}, []string{verb, in + ",nosuchoption"}, []string{verb, in, "--nosuchflag"},
		[]string{"explain", in}, []string{in, "--for=1ms"}, []string{in, "null:", "null:"}, []string{"tcp-listen:127.0.0.1:0,once", in, "--for=1ms"},
		[]string{"wait", in, "--timeout=1ms"}, []string{"listen", "--chat", in, "null:", "--for=1ms"},
		[]string{"give", "x", in}, []string{"take", "no/such/place", in}, []string{"take", "@" + "no-such-place", in},
		[]string{"--in", in, "--out", in, "null:", "--for=1ms"}, []string{"--in=" + in, "--explain"},
	)
	return lines
}

// No flag of a command is secret: parseCall shows what is wrong with their values.
func TestNoFlagIsSecret(t *testing.T) {
	for _, cmd := range commands() {
		for d := range bindFlags(cmd, &call{}).All() {
			if d.Secret {
				t.Errorf("--%s of tenon %s is secret", d.Name, cmd.name)
			}
		}
	}
}

// Flags may stand before the command and behind it, before the address and behind
// it; what looks like a command behind a flag may be its value.
func TestFlagsAnywhere(t *testing.T) {
	for line, want := range map[string]string{
		"-v listen 80 echo:":                     "listen [80 echo:]",
		"--json connect h:1":                     "connect [h:1]",
		"-u a: b:":                               "join [a: b:]",
		"-u join a: b:":                          "join [a: b:]",
		"--for 5s listen 80":                     "listen [80]",
		"--for=5s -v listen 80 -q":               "listen [80]",
		"--in listen --out x: connect":           "connect []",
		"-t 5 wait h:1":                          "wait [h:1]",
		"--timeout 5 wait h:1":                   "wait [h:1]",
		"--password x connect ws://h/":           "connect [ws://h/,password=x]",
		"connect --password x ws://h/":           "connect [ws://h/,password=x]",
		"connect ws://h/ --password x":           "connect [ws://h/,password=x]",
		"connect ws://h/ --password=connect":     "connect [ws://h/,password=connect]",
		"--deflate connect ws://h/":              "connect [ws://h/,deflate]",
		"listen 80 exec: -- grep -v --json":      "listen [80 exec:] -- [grep -v --json]",
		"-v listen 80 exec: -- listen":           "listen [80 exec:] -- [listen]",
		"-, -":                                   "join [-, -]",
		"-,raw connect":                          "join [-,raw connect]",
		"- listen":                               "join [- listen]",
		"--many give place fd:3":                 "give [place fd:3]",
		"-w take place -- sh -c x":               "take [place] -- [sh -c x]",
		"-q help tcp":                            "help [tcp]",
		"--verbose --max 3 listen --public 80 x": "listen [80 x]",
	} {
		t.Run(line, func(t *testing.T) {
			args := strings.Fields(line)
			cmd, verb := commands()[0], -1
			if first := firstWord(args); first < len(args) && isCommand(args[first]) {
				verb = first
				cmd = commands()[slices.IndexFunc(commands(), func(c command) bool { return c.name == args[first] })]
			}
			c, err := parseCall(cmd, args, verb)
			if err != nil {
				t.Fatal(err)
			}
			if cmd.passing && len(c.args) > 0 {
				c.args[0] = strings.TrimPrefix(strings.TrimPrefix(c.withPassed(), "tcp:"), "tcp-listen:")
			}
			got := fmt.Sprint(c.name, " ", c.args)
			if c.rest != nil {
				got += fmt.Sprint(" -- ", c.rest)
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// What is written as for nc, ncat or socat is refused, with a hint that says what
// does the same here.
func TestHabits(t *testing.T) {
	for line, hint := range map[string]string{
		"-l 8080":              "tenon listen",
		"-lvp 8080":            "tenon listen",
		"-lk 8080":             "tenon listen",
		"-z localhost 80":      "tenon wait",
		"-zv localhost 80":     "tenon wait",
		"-w 3 localhost 80":    "--idle",
		"-N localhost 80":      "end of file",
		"-e /bin/sh h 80":      "exec:",
		"-c ls h 80":           "sh:",
		"connect h:80 -p 99":   "sourceport",
		"connect h:80 -s ::1":  "--bind",
		"connect h:80 -x p:1":  "via=",
		"connect h:80 -X 5":    "via=",
		"-x - tcp:h:1":         "--dump hex",
		"-t 5 - tcp:h:1":       "eof-timeout=",
		"-T5 - tcp:h:1":        "--idle",
		"-d -d - tcp:h:1":      "-v tells",
		"-ddd - tcp:h:1":       "-v tells",
		"-lf log - tcp:h:1":    "standard error",
		"-ly - tcp:h:1":        "standard error",
		"-b 65536 - tcp:h:1":   "buffers",
		"-r x - tcp:h:1":       "--tee out:",
		"-R x - tcp:h:1":       "--tee in:",
		"-L lock - tcp:h:1":    "flock",
		"-4 - tcp:h:1":         "tcp4",
		"-uv - tcp:h:1":        "-u -v",
		"-vv - tcp:h:1":        "once",
		"-json - tcp:h:1":      "--json",
		"--ssl h 443":          "tls:",
		"--recv-only h 80":     "-U",
		"--listen 80":          "tenon listen",
		"--proxy p:1 h 80":     "via=",
		"tcp:a:1 tcp:b:1 wait": "tenon wait",
		"tcp:a:1 -- listen":    "",
		"8080":                 "tenon listen 8080",
		"tcp:a:1":              "tenon connect",
		"tcp-listen:1":         "tenon listen",
		"--for listen 80":      "missing",
	} {
		text, status := runProgram(t, strings.Fields(line)...)
		_, after, _ := strings.Cut(text, "hint: ")
		if status != exitUsage || !strings.Contains(after, hint) || after == "" {
			t.Errorf("tenon %s: status %d, and no hint of %q: %s", line, status, hint, text)
		}
	}
}

// Every flag that a habit is about does not exist, and no name of a command is a
// kind as well.
func TestHabitsAreForeign(t *testing.T) {
	s := bindFlags(commands()[2], &call{})
	for name := range habits() {
		if d := s.Lookup(name); d != nil {
			t.Errorf("%s is a flag, and a habit", name)
		}
	}
	for _, cmd := range commands() {
		if _, ok := kinds().Lookup(cmd.name); ok && cmd.name != "connect" { // the kind is tcp, which is what the command means
			t.Errorf("%s is a command, and a kind", cmd.name)
		}
	}
}

// "--" ends the flags of every verb, and what stands behind it is what it would be before it.
// It begins the words of a program only where there is one that lacks them.
func TestDashesEndFlags(t *testing.T) {
	for _, cmd := range commands() {
		for line, want := range map[string]string{
			"one -- -two --three":      "[one -two --three] []",
			"-- -one two":              "[-one two] []",
			"one two --":               "[one two] []",
			"exec: -- -two":            "[exec:] [-two]",
			"-- one exec: -- -two -- ": "[one exec:] [-two --]",
		} {
			if cmd.name == "take" { // whose program is the one that takes
				switch line {
				case "one -- -two --three":
					want = "[one] [-two --three]"
				case "-- one exec: -- -two -- ":
					want = "[one exec:] [-two --]"
				}
			}
			c, err := parseCall(cmd, append([]string{cmd.name}, strings.Fields(line)...), 0)
			if err != nil {
				t.Errorf("tenon %s %s: %v", cmd.name, line, err)
			} else if got := fmt.Sprint(c.args, " ", c.rest); got != want {
				t.Errorf("tenon %s %s: %s, want %s", cmd.name, line, got, want)
			}
		}
	}
}
