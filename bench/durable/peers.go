package main

// peers are the others, each in settings that its own documentation names.
var peers = []contender{}
