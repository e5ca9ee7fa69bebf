//! The shipped XDP program, run in the kernel one frame at a time, against the same decision on the
//! host. It takes root: without, every test that needs the kernel fails.

#[cfg(test)]
mod at_socket;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod extensions;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod full_tables;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod host_tables;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod object;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod second_reader;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod surroundings;
#[cfg(test)]
mod verdicts;
