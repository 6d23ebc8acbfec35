//go:build race && !node && !nopeer

package main

// raceDetector tells whether this is a build with the race detector.
const raceDetector = true
