// Package screen is tenon chat: rooms on a whole terminal, for people. What there is and what happens it asks a
// node; it keeps a few hundred entries of a history at a time, so that a room of a million opens as fast as one
// of ten.
//
// The state is a model that only [tea.Program] changes, one message at a time: keys, what the node answers, what
// happened in rooms. Whatever waits is a [tea.Cmd], whose answer is a function that changes the model. A frame is
// lines of cells, and cells are made from text in one place, which lets nothing through that moves a cursor.
//
//	model.go, talk.go, window.go, scroll.go   the state: rooms, one room, its entries, which of them are seen
//	update.go, keys.go, mouse.go, *mode.go    what keys and the mouse do
//	command*.go, complete.go                  what is typed with a slash, and Tab
//	draft.go                                  what was typed and not sent
//	load.go, pump.go                          what is asked of the node, and what it tells
//	view*.go                                  a frame
//	entry.go, markup.go, cells.go, style.go   text into cells
package screen
