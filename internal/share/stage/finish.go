package stage

import (
	"errors"
	"io/fs"
	"path"
)

// Finish gives everything its final name. Nothing has one before it is there in full, with
// its mode and time, and synced. If Finish is interrupted in any way, it can be called again,
// by a later process too, and goes on. Afterwards files are opened where they are, until
// Close; whoever opens one meanwhile waits for Finish to end.
//
// An error matches [ErrIncomplete], [ErrExists] if something has come to the target
// meanwhile, or [ErrDamaged] if something in the stage is not as it was written.
func (s *Stage) Finish() error {
	s.learning.Lock()
	defer s.learning.Unlock()
	s.mu.Lock()
	state, removing := s.state, s.removing
	s.finishing = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.finishing = false
		s.mu.Unlock()
	}()
	switch {
	case state == over, removing:
		return fs.ErrClosed
	case state == placed:
		return nil
	case state == fetching:
		if err := s.prepare(); err != nil {
			return err
		}
	}
	if err := s.place(); err != nil {
		return err
	}
	if err := s.dress(); err != nil {
		return err
	}
	if canSyncAll {
		if err := s.home.syncAll(); err != nil {
			return err
		}
	}
	s.files.renew()
	return s.settle()
}

// settle notes that everything is in its place. If the power fails, and that is not on disk,
// who comes next finds it out.
func (s *Stage) settle() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	r := &recorder{sum: s.journal.sum}
	r.one('F', 0, "")
	if err := s.journal.write(r); err != nil {
		return err
	}
	s.mu.Lock()
	s.state = placed
	s.mu.Unlock()
	return nil
}

// prepare brings the stage to where everything can get its final name.
func (s *Stage) prepare() error {
	if !canSyncAll { // files are synced one by one, while they can be opened
		if err := s.sync(); err != nil {
			return err
		}
	}
	s.files.tidy() // Windows renames nothing that is open
	x := s.Index()
	s.plan.next, s.plan.group, s.plan.dirs, s.plan.kept, s.plan.need, s.plan.lacking = 0, 0, nil, set{}, 0, false
	s.plan.last = true
	if err := s.survey(x, nil); err != nil {
		return err
	}
	if found := s.plan.problems; len(found.Some) > 0 {
		s.plan.problems = Problems{} // they may be gone when Finish is called again
		return &found
	}
	if !x.Done() || s.plan.lacking {
		return ErrIncomplete
	}
	if err := s.copyAll(); err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	s.mu.Lock()
	s.prepared = true
	s.mu.Unlock()
	return s.sync()
}

// Discard removes the stage with all that is in it.
func (s *Stage) Discard() error {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state == over {
		return fs.ErrClosed
	}
	return s.discard()
}

// discard removes the stage: what says that everything is there goes when nothing is in it
// any more. If it fails, it can be called again, and nothing else.
func (s *Stage) discard() error {
	s.mu.Lock()
	s.removing = true
	s.mu.Unlock()
	s.halt()
	s.files.close()
	s.journal.close()
	s.tree.Close() //nolint:errcheck // Windows removes nothing that is open
	s.home.Close() //nolint:errcheck // a directory
	for _, name := range []string{"older", "was", "tree", "nodes", "journal.new", "journal", "manifest"} {
		if err := s.target.removeAll(path.Join(s.dir, name)); err != nil {
			return err
		}
	}
	s.lock.Close() //nolint:errcheck // it was only locked
	for _, name := range []string{path.Join(s.dir, "stage"), s.dir} {
		if err := s.target.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.mu.Lock()
	s.state = over
	s.mu.Unlock()
	s.release()
	return nil
}
