// Package c holds tenon_shm.h, with which a C program is a full end of
// docs/protocol/shm.md, and the tests of that header: C against C, against Go,
// against Python and against tenon. There is nothing in it for Go programs; they
// use package ipc.
package c
