// etcd is upstream's server, unchanged; it is built here because it shares most of its packages with kube-apiserver,
// so that compiling it costs seconds.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
