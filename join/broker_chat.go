package join

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/neutral"
)

// maxName is how many characters a name has at most.
const maxName = 24

func defaultName(id int) string { return fmt.Sprintf("user%d", id) }

// line is a packet for people.
func line(format string, args ...any) packet {
	return packet{data: fmt.Appendf(nil, format, args...), text: true}
}

// welcome tells the member its name, and the others that it is here.
func (m *member) welcome(members int) {
	name := m.broker.nameOf(m)
	m.reply("* you are %s; %s here; /name NAME changes your name, /who lists all", name, people(members))
	m.broker.send(line("* %s joined", name), m)
}

// goodbye tells those who stay who has left, and why.
func (b *Broker) goodbye(e BrokerEvent) {
	switch {
	case e.Change == Dropped:
		b.send(line("* %s was dropped: %s", e.Name, neutral.Text(e.Err.Error())), nil)
	case e.Err != nil:
		b.send(line("* %s was cut off", e.Name), nil)
	default:
		b.send(line("* %s left", e.Name), nil)
	}
}

// say passes on the lines of one message.
func (m *member) say(msg []byte) {
	for text := range bytes.SplitSeq(msg, []byte("\n")) {
		text = bytes.TrimSuffix(text, []byte("\r"))
		switch {
		case len(text) > m.broker.maxLine():
			m.fail(Lines.tooLongError(m.broker.maxLine()), true)
			return
		case len(text) == 0:
		case text[0] == '/' && !bytes.HasPrefix(text, []byte("//")):
			m.command(string(text))
		default:
			if text[0] == '/' {
				text = text[1:]
			}
			m.broker.send(line("<%s> %s", m.broker.nameOf(m), neutral.Text(string(text))), m)
		}
	}
}

func (m *member) command(text string) {
	word, rest, _ := strings.Cut(text, " ")
	switch rest = strings.TrimSpace(rest); word {
	case "/name":
		old := m.broker.nameOf(m)
		if err := m.broker.rename(m, rest); err != nil {
			m.reply("* your name is still %s: %v", old, err)
			return
		}
		m.broker.send(line("* %s is now %s", old, rest), nil)
	case "/who":
		names := m.broker.names()
		m.reply("* %s here: %s", people(len(names)), strings.Join(names, ", "))
	default:
		m.reply("* there is no command %s, only /name NAME and /who; a line that begins with / is written with //", neutral.Text(string(word)))
	}
}

// reply sends a line to the member alone. One that does not read its replies is
// slow like any other.
func (m *member) reply(format string, args ...any) {
	m.broker.sendTo(line(format, args...), []*member{m})
}

func people(n int) string {
	if n == 1 {
		return "1 member"
	}
	return strconv.Itoa(n) + " members"
}

func (b *Broker) nameOf(m *member) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return m.name
}

// names returns the names of all members, in the order in which they joined.
func (b *Broker) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []int
	for id := range b.members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var names []string
	for _, id := range ids {
		names = append(names, b.members[id].name)
	}
	return names
}

// rename gives m a name that nobody else has, or could have been given.
func (b *Broker) rename(m *member, name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return errors.New("a name is missing: /name NAME")
	case n > maxName:
		return fmt.Errorf("a name has at most %d characters", maxName)
	}
	if strings.ContainsFunc(name, notInName) || !utf8.ValidString(name) {
		return errors.New("a name is made of letters, digits, hyphens, underscores and dots")
	}
	number, isDefault := strings.CutPrefix(strings.ToLower(name), "user")
	if _, err := strconv.Atoi(number); isDefault && err == nil && name != defaultName(m.id) {
		return errors.New("that is the name of another")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, other := range b.members {
		if other != m && strings.EqualFold(other.name, name) {
			return errors.New("that is the name of another")
		}
	}
	m.name = name
	return nil
}

func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
}
