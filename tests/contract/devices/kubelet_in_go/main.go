// A kubelet as far as device plugins can tell, from Kubernetes' own client code and Google's gRPC for Go: nothing of it
// shares a line with the plugin under test.
//
// It removes the sockets in its folder, registers whoever comes, asks for options and follows the list of devices, and
// writes what it sees to stdout, a JSON object a line. Commands on stdin, a JSON object a line, drive the plugin
// further: {"do": "allocate" | "prefer" | "prestart", "resource": …, "ids": […], "size": …}, {"do": "restart"}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const patience = 60 * time.Second

type kubelet struct {
	api.UnimplementedRegistrationServer
	folder  string
	lock    sync.Mutex
	output  *json.Encoder
	plugins map[string]*grpc.ClientConn
	server  *grpc.Server
}

type order struct {
	Do       string
	Resource string
	IDs      []string
	Size     int32
}

func main() {
	one := &kubelet{folder: os.Args[1], output: json.NewEncoder(os.Stdout)}
	one.start()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var wanted order
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			one.say("error", err.Error())
			continue
		}
		one.follow(wanted)
	}
	one.stop()
}

func (k *kubelet) follow(wanted order) {
	if wanted.Do == "restart" {
		k.stop()
		k.start()
		return
	}
	answer, err := k.ask(wanted)
	if err != nil {
		k.say("error", err.Error())
		return
	}
	k.say(wanted.Do, answer)
}

func (k *kubelet) start() {
	sockets, _ := filepath.Glob(filepath.Join(k.folder, "*"))
	for _, socket := range sockets {
		os.Remove(socket)
	}
	listener, err := net.Listen("unix", filepath.Join(k.folder, "kubelet.sock"))
	if err != nil {
		panic(err)
	}
	k.plugins, k.server = map[string]*grpc.ClientConn{}, grpc.NewServer()
	api.RegisterRegistrationServer(k.server, k)
	go k.server.Serve(listener)
	k.say("started", true)
}

func (k *kubelet) stop() {
	k.server.Stop()
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, plugin := range k.plugins {
		plugin.Close()
	}
}

// Register is what a plugin calls; what follows is asked in the background, as the real one does.
func (k *kubelet) Register(_ context.Context, request *api.RegisterRequest) (*api.Empty, error) {
	if request.Version != api.Version {
		return nil, fmt.Errorf("version %s is not %s", request.Version, api.Version)
	}
	target := "unix:" + filepath.Join(k.folder, request.Endpoint)
	plugin, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	k.lock.Lock()
	k.plugins[request.ResourceName] = plugin
	k.lock.Unlock()
	k.say("registered", request.ResourceName)
	go k.watch(request.ResourceName, api.NewDevicePluginClient(plugin))
	return &api.Empty{}, nil
}

func (k *kubelet) watch(resource string, plugin api.DevicePluginClient) {
	limited, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	options, err := plugin.GetDevicePluginOptions(limited, &api.Empty{})
	if err != nil {
		k.say("error", err.Error())
		return
	}
	k.say("options", map[string]bool{"prestart": options.PreStartRequired, "prefers": options.GetPreferredAllocationAvailable})
	stream, err := plugin.ListAndWatch(context.Background(), &api.Empty{})
	if err != nil {
		k.say("error", err.Error())
		return
	}
	for {
		list, err := stream.Recv()
		if err != nil {
			return // the plugin or this kubelet has ended
		}
		devices := map[string]string{}
		for _, device := range list.Devices {
			devices[device.ID] = device.Health
		}
		k.say("devices", devices)
	}
}

func (k *kubelet) ask(wanted order) (any, error) {
	k.lock.Lock()
	connection, known := k.plugins[wanted.Resource]
	k.lock.Unlock()
	if !known {
		return nil, fmt.Errorf("nobody registered %s", wanted.Resource)
	}
	plugin := api.NewDevicePluginClient(connection)
	limited, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch wanted.Do {
	case "allocate":
		request := &api.ContainerAllocateRequest{DevicesIds: wanted.IDs}
		answer, err := plugin.Allocate(limited, &api.AllocateRequest{ContainerRequests: []*api.ContainerAllocateRequest{request}})
		if err != nil {
			return nil, err
		}
		return answer.ContainerResponses[0], nil
	case "prefer":
		request := &api.ContainerPreferredAllocationRequest{AvailableDeviceIDs: wanted.IDs, AllocationSize: wanted.Size}
		requests := []*api.ContainerPreferredAllocationRequest{request}
		answer, err := plugin.GetPreferredAllocation(limited, &api.PreferredAllocationRequest{ContainerRequests: requests})
		if err != nil {
			return nil, err
		}
		return answer.ContainerResponses[0].DeviceIDs, nil
	case "prestart":
		_, err := plugin.PreStartContainer(limited, &api.PreStartContainerRequest{DevicesIds: wanted.IDs})
		return err == nil, err
	}
	return nil, fmt.Errorf("%q is nothing that can be done", wanted.Do)
}

func (k *kubelet) say(what string, value any) {
	k.lock.Lock()
	defer k.lock.Unlock()
	k.output.Encode(map[string]any{what: value})
}
