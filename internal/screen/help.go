package screen

import "fmt"

// helpPage explains all there is.
func helpPage() *textPage {
	p := &textPage{title: "tenon chat", help: true}
	p.texts = append(p.texts, keysHelp...)
	p.texts = append(p.texts, "", "COMMANDS")
	for _, c := range commands() {
		p.texts = append(p.texts, fmt.Sprintf("/%s %s", c.name, c.syntax), "    "+c.doc)
	}
	return p
}

var keysHelp = []string{
	"",
	"WRITING",
	"Enter says it. Alt-Enter or Ctrl-J begins a new line; what is pasted is never said by its line feeds.",
	"*bold*, _italic_, `code`, and lines of ``` around a block of code. @name names somebody.",
	"A line that begins with / is a command; two of them say a slash.",
	"Tab completes @names, #rooms, /commands and what stands behind them; again takes the next.",
	"Ctrl-P and Ctrl-N go through what you have written before. What you write and do not say stays with its room, also for the next time.",
	"Ctrl-C takes away what is written; where nothing is, twice ends this. Ctrl-Z suspends it.",
	"",
	"MESSAGES",
	"Up, where nothing is written, picks a message; then r replies, e edits, d deletes, + reacts, c copies, p pins, x shows all of a long one, o goes to what it answers, or fetches a file, and again stops that. Esc goes back.",
	"Page Up, Page Down and the wheel scroll; older messages come as they are reached. End, where nothing is written, or Ctrl-End goes to the last one. Ctrl-F searches.",
	"",
	"ROOMS",
	"Alt-Up and Alt-Down show another room, Alt-1 to Alt-9 one of the first, Alt-A the next with something new. F2 lists all, and what is offered. F3 hides who is in the room.",
	"A click shows a room, picks a message or names a member. With Shift, the mouse marks text as without this program, or start it with --no-mouse.",
	"",
	"SIGNS",
	"… queued: nobody has it yet   · sent: somebody keeps it   ✓ delivered to somebody   ✓✓ read by somebody",
	"! it names you   [late] it came when later ones may have been seen   (edited)   [pinned]",
	"In the list of rooms: 3 unread, @1 names you, m muted, … waits to be let in, ✎ something is written, ● here, ? offered",
	"Of members: ● here, ○ not here, * owner, r only reads",
}
