package stage

import (
	"io/fs"
	"reflect"
)

// sparse tells whether less is on disk than a file says, where that can be told.
func sparse(fi fs.FileInfo) bool {
	blocks := reflect.Indirect(reflect.ValueOf(fi.Sys())).FieldByName("Blocks")
	return !blocks.IsValid() || blocks.Int()*512 < fi.Size()
}
