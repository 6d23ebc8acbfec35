package manifest

func dir(path string) Entry {
	return Entry{Path: path, Kind: Dir, Mode: 0o755, ModTime: 1_700_000_000e9}
}

func file(path string, size int64) Entry {
	e := Entry{Path: path, Kind: File, Mode: 0o644, ModTime: 1_700_000_000e9 + 123, Size: size}
	if copy(e.Root[:], "the root of "+path); size == 0 {
		e.Root = EmptyRoot
	}
	return e
}

func link(path, target string) Entry {
	return Entry{Path: path, Kind: Symlink, ModTime: -1, Target: target}
}
