// Pins what the end-to-end tests build: a registry of OCI artifacts, for tests of the chart as one.
module aksarc-tests/controlplane/registry

go 1.26.0

require github.com/google/go-containerregistry v0.22.1
