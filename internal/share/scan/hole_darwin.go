package scan

const seekHole = 3 // SEEK_HOLE of <unistd.h>; 4 is SEEK_DATA there
