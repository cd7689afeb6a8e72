// The controller or the cainjector of cert-manager, whose own programs are in modules that are not published.
//
//	cert-manager controller|cainjector [FEATURES]
//
// The cluster is that of KUBECONFIG, and FEATURES is what --feature-gates takes. Of the controller, what signs for issuers of the
// kinds SelfSigned and CA; of the cainjector, what writes to webhook configurations. Neither elects a leader or serves metrics.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/feature"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	if len(words) == 2 {
		if err := feature.DefaultMutableFeatureGate.Set(words[1]); err != nil {
			return err
		}
	} else if len(words) != 1 {
		return errors.New("say controller or cainjector, and features if you like")
	}
	controllerruntime.SetLogger(klog.Background())
	switch words[0] {
	case "controller":
		return control(klog.NewContext(ctx, klog.Background()))
	case "cainjector":
		return inject(ctx)
	}
	return fmt.Errorf("there is no %s", words[0])
}

// Runs every controller that the imports register, until the context ends or one of them fails.
func control(ctx context.Context) error {
	options := controller.ContextOptions{Kubeconfig: os.Getenv("KUBECONFIG")}
	options.ClusterResourceNamespace = "cert-manager"
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	made := map[string]controller.Interface{}
	for name, construct := range controller.Known() {
		if made[name], err = construct(factory); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	ended := make(chan error)
	for name, own := range made {
		go func() {
			ended <- fmt.Errorf("%s ended: %w", name, errors.Join(own.Run(1, ctx), ctx.Err()))
		}()
	}
	return <-ended
}

func inject(ctx context.Context) error {
	kinds := runtime.NewScheme()
	if err := errors.Join(kubernetes.AddToScheme(kinds), scheme.AddToScheme(kinds)); err != nil {
		return err
	}
	config, err := controllerruntime.GetConfig()
	if err != nil {
		return err
	}
	config = util.RestConfigWithUserAgent(config, "cainjector")
	manager, err := controllerruntime.NewManager(config, controllerruntime.Options{
		Scheme:  kinds,
		Metrics: server.Options{BindAddress: "0"},
		// It watches nothing but metadata of Secrets, and reads one as it is then.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	setup := cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor:        map[string]bool{cainjector.ValidatingWebhookConfigurationName: true},
	}
	if err := cainjector.RegisterAllInjectors(ctx, manager, setup); err != nil {
		return err
	}
	return manager.Start(ctx)
}
