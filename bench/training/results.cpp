#include "results.hpp"

#include <exception>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace training {

results::results(std::filesystem::path file) : file_(std::move(file)) {
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with(',')) line.pop_back();
    if (!line.starts_with('{')) continue;
    try {
      auto run = from_json(line);
      records_.insert_or_assign(run.what.key(), std::move(run));
    } catch (std::exception const&) {
      continue;  // the line that a kill cut off: that run is done again
    }
  }
  in.close();
  rewrite();
}

void results::add(record run) {
  bool const first = records_.empty();
  auto const line = to_json(run);
  records_.insert_or_assign(run.what.key(), std::move(run));
  std::fstream out(file_, std::ios::in | std::ios::out);
  out.seekp(-static_cast<std::streamoff>(std::string_view("\n]\n").size()), std::ios::end);
  out << (first ? "\n" : ",\n") << line << "\n]\n";
  if (!out.flush()) throw std::runtime_error("Results could not be written to " + file_.string() + ".");
}

void results::rewrite() const {
  if (file_.has_parent_path()) std::filesystem::create_directories(file_.parent_path());
  auto const beside = std::filesystem::path(file_) += ".new";
  std::ofstream out(beside);
  out << "[";
  bool first = true;
  for (auto const& [key, run] : records_) {
    out << (first ? "\n" : ",\n") << to_json(run);
    first = false;
  }
  out << "\n]\n";
  out.close();
  if (!out) throw std::runtime_error("Results cannot be written to " + file_.string() + ".");
  std::filesystem::rename(beside, file_);
}

}  // namespace training
