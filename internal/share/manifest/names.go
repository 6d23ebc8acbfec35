package manifest

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// WindowsProblem says why a file cannot have this name on Windows, or returns "". It
// does not depend on where it runs: the sharer is told, too.
//
// The rules are those of Microsoft's "Naming Files, Paths, and Namespaces".
func WindowsProblem(name string) string {
	if !utf8.ValidString(name) {
		return "it is not valid UTF-8"
	}
	for _, r := range name {
		if r < ' ' {
			return "it has a control character"
		}
		if strings.ContainsRune(`<>:"/\|?*`, r) {
			return "it has the character " + string(r)
		}
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return "it ends with a dot or a space"
	}
	// NUL.txt is NUL, and so is "NUL .txt". Windows 11 is more lenient; what it
	// allows would still be lost on the way to an older one.
	base, _, _ := strings.Cut(name, ".")
	if device(strings.ToUpper(strings.TrimRight(base, " "))) {
		return "it is the name of a device"
	}
	return ""
}

// device tells whether Windows takes the name for that of a device.
func device(base string) bool {
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(base, "COM")
	if !ok {
		number, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Contains("123456789¹²³", number)
}

// Mark is what a person should know of an entry before it is put on their disk.
type Mark byte

// The marks, which may be combined.
const (
	Hidden     Mark = 1 << iota // lists leave it out: a name in its path begins with a dot
	Executable                  // it can be started: by its mode, or by its name on Windows and desktops
	Trusted                     // some program acts on it without being told: a shell, ssh, git, a desktop
	Replaces                    // something is in its place at the target; only a [List] knows
)

// String returns the marks in words.
func (m Mark) String() string {
	return strings.Join(m.words("hidden", "executable", "trusted by other programs", "replaces what is there"), ", ")
}

// MarshalJSON returns the marks as a list of words.
func (m Mark) MarshalJSON() ([]byte, error) {
	return json.Marshal(m.words("hidden", "executable", "trusted", "replaces"))
}

func (m Mark) words(all ...string) []string {
	words := []string{}
	for i, word := range all {
		if m&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return words
}

// Marks returns the marks that an entry has by itself.
func Marks(e Entry) Mark {
	var m Mark
	if strings.HasPrefix(e.Path, ".") || strings.Contains(e.Path, "/.") {
		m |= Hidden
	}
	path := strings.ToLower(e.Path)
	name := path[strings.LastIndexByte(path, '/')+1:]
	if e.Kind == File && (e.Mode&0o111 != 0 || started(name)) {
		m |= Executable
	}
	if trusted(path, name) {
		m |= Trusted
	}
	return m
}

// started tells whether to open a file of this name is to start it.
func started(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "appimage", "bat", "cmd", "com", "command", "cpl", "desktop", "exe", "hta", "jar", "js", "jse", "lnk",
		"msi", "pif", "ps1", "reg", "scr", "url", "vbe", "vbs", "wsf":
		return strings.Contains(name, ".")
	}
	return false
}

// trusted tells whether programs look for a file of this name, in lower case, and do
// what it says. The list is of what attacks are known to use, and not complete.
func trusted(path, name string) bool {
	switch name {
	case "authorized_keys", "authorized_keys2", "autorun.inf", "desktop.ini", "crontab", ".envrc", ".gitconfig",
		".gitmodules", ".inputrc", ".login", ".netrc", ".npmrc", ".pam_environment", ".profile", ".rhosts", ".vimrc",
		".xinitrc", ".xprofile", ".xsession", ".zlogin", ".zprofile", ".zshenv", ".zshrc",
		".bashrc", ".bash_login", ".bash_logout", ".bash_profile":
		return true
	}
	path = "/" + path
	for _, folder := range []string{"/.ssh/", "/.gnupg/", "/.git/hooks/", "/.git/config", "/.config/autostart/",
		"/.config/fish/", "/.config/systemd/", "/.local/bin/", "/launchagents/", "/start menu/programs/startup/", "/cron."} {
		if strings.Contains(path, folder) {
			return true
		}
	}
	return false
}
