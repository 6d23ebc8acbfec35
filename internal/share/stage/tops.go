package stage

import "strings"

// Tops returns the names that what is shared, at the top, has at the target, or will have.
func (s *Stage) Tops() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for n, e := range s.index.From(0) {
		if strings.Contains(e.Path, "/") || !s.choice.has(n) {
			continue
		}
		name := e.Path
		if as := s.renamed[n]; as != "" {
			name = as
		}
		all = append(all, name)
	}
	return all
}
