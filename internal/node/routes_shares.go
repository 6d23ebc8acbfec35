package node

import (
	"context"
	"net/http"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/shares"
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
		{"POST /v1/shares/{share}/leave", do(func(r *http.Request, _ none) (none, error) {
			s, err := n.theShares()
			if err != nil {
				return none{}, err
			}
			return none{}, s.Leave(r.Context(), r.PathValue("share"))
		})},
		{"POST /v1/fetch", tell(n.getShare)},
		{"POST /v1/fetch/file", func(w http.ResponseWriter, r *http.Request) {
			var in api.FetchRequest
			err := read(r, &in)
			to := api.NewStreamWriter(w)
			if err == nil {
				var s *shares.Shares
				if s, err = n.theShares(); err == nil {
					err = s.Stream(r.Context(), in, to)
				}
			}
			switch {
			case err != nil && to.Begun:
				to.Fail(err)
			case err != nil:
				fail(w, err)
			}
		}},
	}
}
