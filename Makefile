# Every target is a line that can be typed without make.

.PHONY: build release nopeer check docs fuzz rooms soak natlab survive interop scale bench

build: ## the static binary and beside it what knows peers, in bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/tenon ./cmd/tenon
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -tags node -o bin/tenon-node ./cmd/tenon

release: ## one file with both, dist/tenon
	go run ./internal/release

nopeer: ## the tests of the program without peers
	go test -tags nopeer -timeout 20m ./cmd/tenon

check: ## all that must hold; CI runs this
	./check

docs: ## generated documents
	go run ./cmd/tenon help markdown > docs/options.md
	go run ./cmd/tenon help man > docs/tenon.1

fuzz: ## every fuzz target for a minute
	go run ./internal/fuzzall -time 1m

rooms: ## thousands of rooms whose members act at random, and must agree
	go test -run TestConvergence -timeout 60m -v ./internal/chat/room -seeds 5000 | grep -v seed=
	go test -run TestMany -timeout 30m -v ./internal/chat -simulate -rounds 3
	go test -run TestGossip -timeout 30m -v ./internal/chat/meet -crowd 1024 | grep -v -e RUN -e seed

soak: ## ten thousand joints with faults, for five minutes
	go test -run TestSoak -timeout 20m -v ./internal/soak -soak 5m

natlab: ## every pair of NATs, bad links, and what happens to networks, in namespaces
	go test -run 'Matrix|IPv6|NAT64|OneNetwork|WorstLinks|Interfaces|Birthdays' -timeout 30m -v ./internal/peer/punch -natlab
	go test -run Reach -timeout 30m -v ./internal/peer/swarm -natlab
	go test -timeout 90m -v ./internal/reach -natlab

survive: ## a hundred transfers of 1 GiB while networks change, are cut, and relays start again
	go test -run TestSurvival -timeout 5h -v ./internal/reach -survive 100

interop: ## with a node of js-libp2p and tus-js-client, which npm fetches, and one of kubo, which takes minutes to build
	cd internal/peer/swarm/testdata/js && npm install --no-audit --no-fund
	tools/kubo
	go test -run 'InteropJS|Kubo' -v ./internal/peer/swarm
	tools/need transmission-cli:transmission-cli
	go test -run World -v ./internal/torrent -transmission
	cd internal/share/drop/testdata/js && npm install --no-audit --no-fund
	go test -run TusClient -v ./internal/share/drop

scale: ## a hundred nodes in one process, in virtual time
	go test -run TestScale -timeout 30m -v ./internal/peer/swarm -scale 100

bench: ## side by side with the peers
	cd bench && go run .
