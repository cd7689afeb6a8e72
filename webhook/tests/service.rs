//! Tests of the guard over loopback sockets, with certificates made on the spot. They are one program, since linking
//! takes longer than running.

#[cfg(test)]
mod generated_files;
#[cfg(test)]
mod service_certificates;
#[cfg(test)]
mod service_commands;
#[cfg(test)]
mod service_drain;
#[cfg(test)]
mod service_judging;
#[cfg(test)]
mod service_limits;
#[cfg(test)]
mod service_log;
#[cfg(test)]
mod service_metrics;
#[cfg(test)]
mod service_ports;
#[cfg(test)]
mod service_protection;
#[cfg(test)]
mod service_published;
#[cfg(test)]
mod service_reload;
#[cfg(test)]
mod service_reviews;
#[cfg(test)]
mod service_waivers;
#[cfg(test)]
mod support;
