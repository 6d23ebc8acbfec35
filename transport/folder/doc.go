// Package folder has an end that serves a folder over HTTP, read-only: folder:DIR. Each
// time that it is opened there is a server behind it for that connection alone, which
// answers GET and HEAD, with ranges and conditions, as long as requests come.
//
// Nothing outside the folder can be reached, neither by ".." nor by a symbolic link
// (os.Root sees to that), and nothing but regular files and folders is opened. Names that
// begin with a dot are not there unless Hidden is set. A folder is listed, unless it
// has an index.html.
//
// It does not write, run programs or ask who somebody is: put it behind tls, a service
// of a peer or a proxy for that. To carry files between programs use package file.
package folder
