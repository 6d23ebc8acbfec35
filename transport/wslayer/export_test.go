package wslayer

// AcceptKey is acceptKey, for tests that are a server.
var AcceptKey = acceptKey
