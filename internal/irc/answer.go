package irc

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// A waiting line is what has happened while a command was carried out.
type waiting struct {
	id    string // of the message that it is of
	bytes []byte
}

// do carries something out. What happens meanwhile is told behind it.
func (s *session) do(ctx context.Context, f func(context.Context) error) error {
	s.world.mu.Lock()
	s.busy = true
	s.world.mu.Unlock()
	bound, cancel := context.WithTimeoutCause(ctx, commandTime, errors.New("the node has not answered in time"))
	defer cancel()
	err := f(bound)
	s.answer()
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.busy = false
	for _, l := range s.live {
		if l.id == "" || !s.sent.has(l.id) {
			s.out.add(l.bytes)
		}
	}
	for _, l := range s.live {
		if l.id != "" {
			s.sent.add(l.id)
		}
	}
	s.live, s.liveLen = nil, 0
	s.askLocked()
	return err
}

// tell has a line written that answers nothing. It is called with the lock of the world held.
func (s *session) tell(m *msg) { s.tellMessage("", m) }

// tellMessage is tell for a line of a message.
func (s *session) tellMessage(id string, m *msg) {
	b := s.encode(m)
	if b == nil {
		return
	}
	if !s.busy {
		s.out.add(b)
		return
	}
	if s.liveLen += len(b); s.liveLen > maxOutbox {
		s.out.end(errOutbox)
		s.live = nil
		return
	}
	s.live = append(s.live, waiting{id, b})
}

// reply has a line written that answers a command. Only the goroutine of the session calls it.
func (s *session) reply(m *msg) {
	if m.from != nil {
		s.world.mu.Lock()
		m.resolve()
		s.world.mu.Unlock()
	}
	if s.label != "" {
		s.answers = append(s.answers, m)
		return
	}
	s.emit(m)
}

// emit writes a line, and waits while much is waiting.
func (s *session) emit(m *msg) {
	if b := s.encode(m); b != nil {
		s.out.room()
		s.out.add(b)
	}
}

// numeric answers with a numeric.
func (s *session) numeric(code string, params ...string) {
	s.reply(&msg{cmd: code, params: append([]string{s.me()}, params...)})
}

// me is what the client is called.
func (s *session) me() string {
	if !s.registered {
		return "*"
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.world.me.nick
}

// fail says that a command was not carried out: as a standard reply to those who know that, or the command, and else as a notice.
func (s *session) fail(cmd, code, about, text string) {
	own := map[string]caps{"CHATHISTORY": capHistory, "MARKREAD": capReadMarker, "REDACT": capRedaction, "BATCH": capMultiline, "SETNAME": capSetname}[cmd]
	if s.caps.has(capReplies) || own != 0 && s.caps.has(own) {
		s.reply(&msg{cmd: "FAIL", params: append(append([]string{cmd, code}, strings.Fields(about)...), text)})
		return
	}
	s.reply(&msg{cmd: "NOTICE", params: []string{s.me(), text}})
}

// answer writes the answers to a command, so that the client can tell what they answer (https://ircv3.net/specs/extensions/labeled-response).
func (s *session) answer() {
	label, all := s.label, s.answers
	s.label, s.answers = "", nil
	if label == "" {
		return
	}
	kept := all[:0]
	for _, m := range all {
		if s.encode(m) != nil {
			kept = append(kept, m)
		}
	}
	switch all = kept; {
	case len(all) == 0:
		s.emit(&msg{cmd: "ACK", label: label})
		return
	case len(all) == 1 || isBatch(all):
		all[0].label = label
		for _, m := range all {
			s.emit(m)
		}
		return
	}
	ref := s.newBatch()
	s.emit(&msg{cmd: "BATCH", params: []string{"+" + ref, "labeled-response"}, label: label})
	for _, m := range all {
		if m.batch == "" && !(m.cmd == "BATCH" && strings.HasPrefix(m.params[0], "-")) {
			m.batch = ref
		}
		s.emit(m)
	}
	s.emit(&msg{cmd: "BATCH", params: []string{"-" + ref}})
}

// isBatch tells whether all is one batch.
func isBatch(all []*msg) bool {
	first, last := all[0], all[len(all)-1]
	return first.cmd == "BATCH" && last.cmd == "BATCH" && first.params[0][1:] == last.params[0][1:]
}

// newBatch names a batch.
func (s *session) newBatch() string {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.newBatchLocked()
}

func (s *session) newBatchLocked() string {
	s.batches++
	return "b" + strconv.Itoa(s.batches)
}
