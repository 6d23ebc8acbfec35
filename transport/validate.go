package transport

// A Validator is an Endpoint that can find fault with its options before
// anything is opened. Validate may read files that the options name, such as
// certificates, and does nothing else.
type Validator interface {
	Validate() error
}

// A SideValidator is a Layer with options that mean something on one side only.
type SideValidator interface {
	// ValidateSide refuses what would do nothing, or could not be enforced, on the
	// side that the layer will play. What is wrong on either side is for
	// [Validator.Validate] to find; see [Validate].
	ValidateSide(Side) error
}

// Validate has e look at its options, for the side that it will play: a layer may be a
// [SideValidator], a [Validator], or both, and then both are asked.
func Validate(e Endpoint, side Side) error {
	if v, ok := e.(SideValidator); ok {
		if err := v.ValidateSide(side); err != nil {
			return err
		}
	}
	if v, ok := e.(Validator); ok {
		return v.Validate()
	}
	return nil
}
