package proc

import (
	"errors"
	"strings"
)

// Errors of [Split].
var (
	errOpenQuote = errors.New("a quote is never closed")
	errBackslash = errors.New("there is nothing after the last backslash")
)

// Split takes a command line apart into words, as a shell does that expands
// nothing (POSIX.1-2024, XCU 2.2): blanks and newlines separate words; 'single
// quotes' keep all that is in them; in "double quotes" a backslash is kept unless
// it stands before one of $ ` " \ or a newline; elsewhere a backslash takes the
// meaning from any character. A backslash before a newline joins two lines.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'':
			if i++; i == len(line) {
				return nil, errBackslash
			}
			if line[i] == '\n' {
				continue
			}
			if quote == '"' && strings.IndexByte("$`\"\\", line[i]) < 0 {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
			inWord = true
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// Quote returns a command line that [Split], and a shell, take apart into args.
func Quote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quoteWord(arg)
	}
	return strings.Join(quoted, " ")
}

func quoteWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:=@%+,", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
