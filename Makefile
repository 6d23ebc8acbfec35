# Every target is a line that can be typed without make.

.PHONY: build check docs fuzz soak bench

build: ## the static binary, in bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/tenon ./cmd/tenon

check: ## all that must hold; CI runs this
	./check

docs: ## generated documents
	go run ./cmd/tenon help markdown > docs/options.md
	go run ./cmd/tenon help man > docs/tenon.1

fuzz: ## every fuzz target for a minute
	go run ./internal/fuzzall -time 1m

soak: ## ten thousand joints with faults, for five minutes
	go test -run TestSoak -timeout 20m -v ./internal/soak -soak 5m

bench: ## side by side with the peers
	cd bench && go run .
