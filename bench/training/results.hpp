#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "record.hpp"

namespace training {

/// Records on disk: a JSON array with one record per line. A record is kept as soon as it is added; a file that a kill
/// left half written is read up to there.
class results {
 public:
  /// Reads what is there. Throws std::runtime_error for a file that cannot be written.
  explicit results(std::filesystem::path file);

  bool has(job const& what) const { return records_.contains(what.key()); }
  void add(record run);
  /// By key.
  std::map<std::string, record> const& all() const noexcept { return records_; }

 private:
  void rewrite() const;

  std::filesystem::path file_;
  std::map<std::string, record> records_;
};

}  // namespace training
