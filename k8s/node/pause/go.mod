module paddock.invalid/node/pause

go 1.26.0
