// Pins the chart with the definitions of OpenReports, which tests install.
module aksarc-tests/controlplane/openreports

go 1.26.0

require github.com/openreports/reports-api v0.2.1
