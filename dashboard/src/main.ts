import "./boot";
import "./app";
