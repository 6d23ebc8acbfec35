// Package share fetches files from many at once, who pass on what they have. A share is a
// manifest and the files in it; whoever takes part has some of it, wants the rest, and
// gives what it has to all others who can prove that they may have it.
//
//	Hub      answers for the shares of this process
//	Share    what is there of one share, and who takes part in it
//	session  a stream with one of these: asks and answers
//	picker   who is asked for what
//	Store    where the files are
//
// Nothing is handed to a Store before it is verified. The root of the share vouches for its
// manifest, and the manifest for every byte of the files; while the share grows, the
// signature of its sharer vouches for what there is of the manifest. docs/protocol/share.md
// is what goes over the streams.
package share
