package manifest

import "strings"

// LinkProblem says why a symbolic link at path would lead out of the share, or returns
// "". It judges the text of the target, step by step: at no step may it be above the
// share, nor beside what is shared at the top, where the getter's own files are. top
// tells what is: whether a name is that of an entry at the top. Without it that is
// the one that the link is in.
//
// On Windows every name of the target must pass [WindowsProblem] as well, for there
// `\` is "/". A target that is not there does no harm. Nor does LinkProblem see where a target goes
// through other links: that is for os.Root to stop, where the share is put.
func LinkProblem(path, target string, top func(name string) bool) string {
	own, _, _ := strings.Cut(path, "/")
	depth := strings.Count(path, "/")
	if strings.HasPrefix(target, "/") {
		return "its target is an absolute path"
	}
	for name := range strings.SplitSeq(target, "/") {
		switch {
		case name == "" || name == ".":
		case name == "..":
			if depth--; depth < 0 {
				return "its target is outside of the share"
			}
		case depth == 0 && name != own && (top == nil || !top(name)):
			return "its target is beside the share"
		default:
			depth++
		}
	}
	if depth == 0 {
		return "its target is the folder that the share is in"
	}
	return ""
}
