//go:build unix

package local

// hasOwners tells whether socket files have owners and permissions.
const hasOwners = true

// whoMay says who may connect to a listener.
const whoMay = "which only its owner may use unless options say otherwise"

func (a *Access) supported() error { return nil }
