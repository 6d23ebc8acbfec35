//go:build unix && !darwin

package scan

const seekHole = 4 // SEEK_HOLE, as lseek(2) has it
