package node

import (
	"context"
	"net/http"

	"github.com/tenon-net/tenon/internal/node/api"
)

// shareRoutes are those about shares.
func (n *Node) shareRoutes() []route {
	return []route{
		{"GET /v1/shares", do(func(*http.Request, none) ([]api.Share, error) {
			s, err := n.theShares()
			if err != nil {
				return nil, err
			}
			return s.List(), nil
		})},
		{"POST /v1/shares", do(func(r *http.Request, in api.ShareRequest) (out api.Share, err error) {
			s, err := n.theShares()
			if err != nil {
				return out, err
			}
			return s.Share(r.Context(), in)
		})},
		{"GET /v1/shares/{share}/watch", func(w http.ResponseWriter, r *http.Request) {
			tell(func(ctx context.Context, _ none, say func(api.Share)) error {
				s, err := n.theShares()
				if err != nil {
					return err
				}
				return s.Watch(ctx, r.PathValue("share"), say)
			})(w, r)
		}},
		{"DELETE /v1/shares/{share}", do(func(r *http.Request, _ none) (none, error) {
			s, err := n.theShares()
			if err != nil {
				return none{}, err
			}
			return none{}, s.Unshare(r.Context(), r.PathValue("share"))
		})},
		{"POST /v1/fetch", tell(func(ctx context.Context, in api.FetchRequest, say func(api.FetchEvent)) error {
			s, err := n.theShares()
			if err != nil {
				return err
			}
			return s.Fetch(ctx, in, say)
		})},
	}
}
