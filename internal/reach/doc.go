// Package reach has no code, only tests: whole nodes, each a process of the program, behind routers of
// every kind, on links that are bad, roam, and are cut. Every pair must reach each other, and what runs
// between them must go on, with every byte in its place. It needs what package natlab needs. "make natlab"
// runs every pair, and each scenario often.
package reach
